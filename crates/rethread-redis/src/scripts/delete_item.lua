#!lua flags=allow-oom
-- Removes a record of the store.
-- Guarantees: name, record and expiry go as one.
-- KEYS   1 names (ZSET, sorted as bytes), 2 records (HASH by name), 3 times of expiry (ZSET)
-- ARGV   1 name
-- Return 1, or 0 there was none
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
