#!lua
-- Records what a worker hands in to one partition.
-- Guarantees: for each part, the messages are in the inbox and the order is out of its queue,
-- or neither. A part whose order is no longer assigned to the worker is dropped.
-- KEYS   1 inbox (STREAM), then queues (STREAM with group w)
-- ARGV   1 worker, then for each part: index of its queue in KEYS or 0 for no order,
--        id of the order, count, messages...
-- Return for each part 1, or 0 when it was dropped
local worker = ARGV[1]
local stop = #ARGV

-- For each queue, the ids that are handed in; one look at the worker's orders serves them all.
local wanted = {}
local argument = 2
while argument <= stop do
  local queue = KEYS[tonumber(ARGV[argument])]
  if queue then
    local ids = wanted[queue] or {}
    wanted[queue] = ids
    ids[#ids + 1] = ARGV[argument + 1]
  end
  argument = argument + 3 + ARGV[argument + 2]
end

local assigned = {}
local finished = {}
for queue, ids in pairs(wanted) do
  local to = '+'
  if #ids == 1 then
    to = ids[1]
  end
  local pending = redis.pcall('XPENDING', queue, 'w', ids[1], to, 2 * #ids, worker)
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
argument = 2
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
