#!lua flags=allow-oom
-- Sets when a record of the store expires.
-- Guarantees: a record that is not there, or has expired, does not come back.
-- KEYS   1 records (HASH by name), 2 times of expiry (ZSET)
-- ARGV   1 name, 2 time of expiry in ms
-- Return 1, or 0 there is none
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local expiry = redis.call('ZSCORE', KEYS[2], ARGV[1])
if expiry then
  local time = redis.call('TIME')
  if tonumber(expiry) <= time[1] * 1000 + math.floor(time[2] / 1000) then
    return 0
  end
end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 1
