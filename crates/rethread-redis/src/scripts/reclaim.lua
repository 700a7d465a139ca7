#!lua
-- Takes over orders of a dead worker from one queue.
-- Guarantees: an order is with one worker. The dead worker's consumer is deleted only when it
-- has nothing left: deleting one that has orders would lose them.
-- KEYS   1 queue (STREAM with group w)
-- ARGV   1 worker, 2 dead worker, 3 how many at most (up to 1,000)
-- Return for each order {id, fields, times given}
local pending = redis.pcall('XPENDING', KEYS[1], 'w', '-', '+', ARGV[3], ARGV[2])
if pending.err then
  return {}
end
local orders = {}
if #pending > 0 then
  local ids = {}
  local given = {}
  for i = 1, #pending do
    ids[i] = pending[i][1]
    given[pending[i][1]] = pending[i][4] + 1
  end
  local entries = redis.call('XCLAIM', KEYS[1], 'w', ARGV[1], 0, unpack(ids))
  for i = 1, #entries do
    local entry = entries[i]
    if entry then
      orders[#orders + 1] = {entry[1], entry[2], given[entry[1]]}
    end
  end
end
if #redis.call('XPENDING', KEYS[1], 'w', '-', '+', 1, ARGV[2]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'w', ARGV[2])
end
return orders
