#!lua flags=no-writes
-- Reads what an owner needs to go on with a thread.
-- Guarantees: one state of the thread, not a mix of two.
-- KEYS   1 thread (HASH: h header, b id of the base checkpoint, l last event),
--        2 journal (LIST), 3 checkpoint records (HASH), 4 waiting commands (LIST)
-- ARGV   none
-- Return {header, journal, last event, id of the base checkpoint, base checkpoint,
--        waiting commands}; nil where there is none
local thread = redis.call('HMGET', KEYS[1], 'h', 'l', 'b')
local base = false
if thread[3] then
  base = redis.call('HGET', KEYS[3], thread[3])
end
return {thread[1], redis.call('LRANGE', KEYS[2], 0, -1), thread[2], thread[3], base,
  redis.call('LRANGE', KEYS[4], 0, -1)}
