#!lua
-- Takes orders from queues for a worker, without waiting.
-- Guarantees: at most as many as asked for over all queues; an order is with one worker.
-- A missing queue or consumer group is made.
-- KEYS   queues (STREAM with group w)
-- ARGV   1 worker, 2 how many at most
-- Return entries of each queue, in the order of KEYS; queues at the end may be left out
local function read(queue, count)
  return redis.pcall('XREADGROUP', 'GROUP', 'w', ARGV[1], 'COUNT', count, 'STREAMS', queue, '>')
end

local room = tonumber(ARGV[2])
local found = {}
for i = 1, #KEYS do
  local reply = read(KEYS[i], room)
  if reply and reply.err and string.find(reply.err, 'NOGROUP', 1, true) then
    redis.pcall('XGROUP', 'CREATE', KEYS[i], 'w', '0', 'MKSTREAM')
    reply = read(KEYS[i], room)
  end
  found[i] = {}
  if reply and not reply.err then
    found[i] = reply[1][2]
    room = room - #found[i]
  elseif reply and i == 1 then
    -- Later on, an error must not hide what was taken already; the next call meets it first.
    return reply
  end
  if room <= 0 then
    break
  end
end
return found
