#!lua flags=allow-oom
-- Removes records of the store that have expired, the oldest first.
-- Guarantees: name, record and expiry go as one.
-- KEYS   1 names (ZSET, sorted as bytes), 2 records (HASH by name), 3 times of expiry (ZSET)
-- ARGV   1 how many at most (up to 1,000)
-- Return how many were removed
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local expired = redis.call('ZRANGE', KEYS[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
if #expired > 0 then
  redis.call('ZREM', KEYS[1], unpack(expired))
  redis.call('HDEL', KEYS[2], unpack(expired))
  redis.call('ZREM', KEYS[3], unpack(expired))
end
return #expired
