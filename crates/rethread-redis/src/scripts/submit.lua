#!lua
-- Appends a message to the inbox of a partition.
-- Guarantees: the same op id has its effect once while it is remembered.
-- KEYS   1 op id (STRING with expiry), 2 inbox (STREAM)
-- ARGV   1 message, 2 how long the op id is remembered in ms
-- Return 1, or 0 when the op id had its effect before
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'm', ARGV[1])
redis.call('SET', KEYS[1], '', 'PX', ARGV[2])
return 1
