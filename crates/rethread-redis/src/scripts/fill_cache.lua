#!lua
-- Stores a value in the cache, and ends the duty to make it.
-- Guarantees: the newest value stands, whether it expires or not. A group gets its generation
-- with its first value, and only from a caller who has listed the group before.
-- KEYS   1 generation of the group (STRING), 2 its values that do not expire (HASH by entry),
--        3 the entry's value that does (HASH: g generation, v value), 4 holder (STRING)
-- ARGV   1 entry, 2 value, 3 time to live in ms, or '', 4 '1' if the group is listed
-- Return 1, or 0 nothing was stored: list the group and ask again
local generation = redis.call('GET', KEYS[1])
if not generation then
  if ARGV[4] ~= '1' then
    return 0
  end
  generation = '1'
  redis.call('SET', KEYS[1], generation)
end
if ARGV[3] == '' then
  redis.call('UNLINK', KEYS[3])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
else
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('HSET', KEYS[3], 'g', generation, 'v', ARGV[2])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
redis.call('UNLINK', KEYS[4])
return 1
