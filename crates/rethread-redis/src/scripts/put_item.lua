#!lua
-- Puts a record into the store, and removes some that have expired.
-- Guarantees: name, record and expiry change as one. What is removed in passing is more than
-- what a put adds, so expired records do not pile up.
-- KEYS   1 names (ZSET, sorted as bytes), 2 records (HASH by name), 3 times of expiry (ZSET)
-- ARGV   1 name, 2 record, 3 time of expiry in ms, or ''
-- Return 1
redis.call('ZADD', KEYS[1], 0, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local expired = redis.call('ZRANGE', KEYS[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, 16)
if #expired > 0 then
  redis.call('ZREM', KEYS[1], unpack(expired))
  redis.call('HDEL', KEYS[2], unpack(expired))
  redis.call('ZREM', KEYS[3], unpack(expired))
end
return 1
