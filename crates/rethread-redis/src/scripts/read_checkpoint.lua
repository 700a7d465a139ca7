#!lua flags=no-writes
-- Reads one checkpoint of a thread.
-- Guarantees: one state of the thread, not a mix of two.
-- KEYS   1 thread (LIST, see commit.lua), 2 records (HASH)
-- ARGV   1 id
-- Return packed checkpoints, all of them, if they are; else {record}, or {nil} there is none
local packed = redis.call('LINDEX', KEYS[1], 3)
if packed ~= '+' then
  return packed or ''
end
return {redis.call('HGET', KEYS[2], ARGV[1])}
