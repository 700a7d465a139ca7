#!lua
-- Puts orders of a worker back into a queue, for others to fetch at once.
-- Guarantees: an order is in the queue exactly once before and after, and that the worker had it
-- does not count as a fetch. Orders named by their ids never reached the worker, so they were not
-- even given. Without ids all orders are put back, and the worker's consumer goes.
-- KEYS   1 queue (STREAM with group w)
-- ARGV   1 worker, then ids of orders, or none for all
-- Return how many orders were put back
local returned = 0

local function give_back(pending, ungiven)
  local id = pending[1]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    local fields = entry[2]
    local fetches = string.format('%.0f', (fields[6] or 0) + pending[4] - 1)
    local given = string.format('%.0f', (fields[8] or 0) + pending[4] - ungiven)
    redis.call('XADD', KEYS[1], '*', 'o', fields[2], 'e', fields[4] or '', 'f', fetches, 'g', given)
    returned = returned + 1
  end
  redis.call('XACK', KEYS[1], 'w', id)
  redis.call('XDEL', KEYS[1], id)
end

if #ARGV > 1 then
  for i = 2, #ARGV do
    local pending = redis.call('XPENDING', KEYS[1], 'w', ARGV[i], ARGV[i], 1, ARGV[1])
    if pending[1] then
      give_back(pending[1], 1)
    end
  end
  return returned
end

while true do
  local pending = redis.pcall('XPENDING', KEYS[1], 'w', '-', '+', 1000, ARGV[1])
  if pending.err then
    return returned
  end
  if #pending == 0 then
    break
  end
  for i = 1, #pending do
    give_back(pending[i], 0)
  end
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'w', ARGV[1])
return returned
