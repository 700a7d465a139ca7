#!lua flags=allow-oom
-- Looks up a value of the cache, or gives out the duty to make it.
-- Guarantees: one holder of the duty at a time, by the clock of the server. A value that was
-- stored before the last clear of its group is not found.
-- KEYS   1 generation of the group (STRING), 2 its values that do not expire (HASH by entry),
--        3 the entry's value that does (HASH: g generation, v value), 4 holder (STRING)
-- ARGV   1 entry, 2 holder, 3 how long it has the duty, in ms
-- Return the value, or 1 the asker is to make it, or 0 another is making it
local lasting = redis.call('HGET', KEYS[2], ARGV[1])
if lasting then
  return lasting
end
local value = redis.call('HMGET', KEYS[3], 'g', 'v')
if value[1] and value[1] == redis.call('GET', KEYS[1]) then
  return value[2]
end
local holder = redis.call('GET', KEYS[4])
if holder and holder ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])
return 1
