#!lua flags=no-writes
-- Reads a record of the store.
-- Guarantees: a record and its own expiry; nothing that has expired.
-- KEYS   1 records (HASH by name), 2 times of expiry (ZSET)
-- ARGV   1 name
-- Return {record, time of expiry in ms or nil}, or nil there is none
local expiry = redis.call('ZSCORE', KEYS[2], ARGV[1])
if expiry then
  local time = redis.call('TIME')
  if tonumber(expiry) <= time[1] * 1000 + math.floor(time[2] / 1000) then
    return false
  end
end
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then
  return false
end
return {record, expiry}
