#!lua
-- Records what a worker hands in to one partition.
-- Guarantees: for each part, the messages are in the inbox and the order is out of its queue,
-- or neither. A part whose order is no longer assigned to the worker is dropped.
-- KEYS   1 inbox (STREAM), then queues (STREAM with group w)
-- ARGV   1 worker, then for each queue: the oldest and the newest id that are handed in,
--        then for each part: index of its queue in KEYS or 0 for no order, id of the order,
--        count, messages...
-- Return for each part 1, or 0 when it was dropped
local worker = ARGV[1]
local stop = #ARGV

-- For each queue, how many orders are handed in; one look at the worker's orders serves them all.
local parts = 2 * #KEYS
local wanted = {}
local argument = parts
while argument <= stop do
  local index = tonumber(ARGV[argument])
  wanted[index] = (wanted[index] or 0) + 1
  argument = argument + 3 + ARGV[argument + 2]
end

local assigned = {}
local finished = {}
for index = 2, #KEYS do
  local queue = KEYS[index]
  local from, to = ARGV[2 * index - 2], ARGV[2 * index - 1]
  local pending = redis.pcall('XPENDING', queue, 'w', from, to, 2 * wanted[index], worker)
  local found = {}
  if not pending.err then
    for i = 1, #pending do
      found[pending[i][1]] = true
    end
  end
  assigned[queue] = found
  finished[queue] = {}
end

local function take(queue, id)
  if finished[queue][id] then
    return false
  end
  if not assigned[queue][id] then
    -- It may only have been out of sight: the look was limited.
    local pending = redis.pcall('XPENDING', queue, 'w', id, id, 1, worker)
    if pending.err or not pending[1] then
      return false
    end
  end
  local ids = finished[queue]
  ids[id] = true
  ids[#ids + 1] = id
  return true
end

local taken = {}
argument = parts
while argument <= stop do
  local queue = KEYS[tonumber(ARGV[argument])]
  local count = tonumber(ARGV[argument + 2])
  local ours = not queue or take(queue, ARGV[argument + 1])
  if ours then
    for message = argument + 3, argument + 2 + count do
      redis.call('XADD', KEYS[1], '*', 'm', ARGV[message])
    end
  end
  taken[#taken + 1] = ours and 1 or 0
  argument = argument + 3 + count
end

-- A call takes at most about 7,900 values from `unpack`.
for queue, ids in pairs(finished) do
  for from = 1, #ids, 1000 do
    local to = math.min(from + 999, #ids)
    redis.call('XACK', queue, 'w', unpack(ids, from, to))
    redis.call('XDEL', queue, unpack(ids, from, to))
  end
end
return taken
