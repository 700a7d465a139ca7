#!lua
-- Appends a message to the inbox of a partition.
-- Guarantees: the same op id has its effect once while it is remembered. A full inbox refuses, and
-- then nothing happened; it never refuses what it took before.
-- KEYS   1 op id (STRING with expiry), 2 inbox (STREAM)
-- ARGV   1 message, 2 how long the op id is remembered in ms, 3 how many messages fill the inbox
-- Return 1, or 0 when the op id had its effect before, or {'OVERLOADED', messages in the inbox}
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local waiting = redis.call('XLEN', KEYS[2])
if waiting >= tonumber(ARGV[3]) then
  return {'OVERLOADED', waiting}
end
redis.call('XADD', KEYS[2], '*', 'm', ARGV[1])
-- Small numbers are shared by all keys: this one costs no memory.
redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
return 1
