#!lua flags=no-writes
-- Lists namespaces that hold records: looks at the first record of each, then jumps behind it.
-- Guarantees: sorted, each once, and none whose records have all expired.
-- KEYS   1 names (ZSET, sorted as bytes), 2 times of expiry (ZSET)
-- ARGV   1 first name, 2 last name, as bounds of ZRANGE BYLEX, 3 how many names to look at
-- Return {the bound to go on from, or nil if this was the end, how many have expired,
--        then the first name of each}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = ARGV[1]
local answer = {false, 0}
for _ = 1, tonumber(ARGV[3]) do
  local name = redis.call('ZRANGE', KEYS[1], from, ARGV[2], 'BYLEX', 'LIMIT', 0, 1)[1]
  if not name then
    return answer
  end
  local expiry = redis.call('ZSCORE', KEYS[2], name)
  if expiry and tonumber(expiry) <= now then
    answer[2] = answer[2] + 1
    from = '(' .. name
  else
    -- Two zeros end the last label and two more the namespace; there are no four before.
    local stop = string.find(name, '\0\0\0\0', 1, true)
    if not stop then
      return redis.error_reply('ERR script: a name of the store has no end of its namespace')
    end
    answer[#answer + 1] = name
    from = '[' .. string.sub(name, 1, stop + 3) .. '\255'
  end
end
answer[1] = from
return answer
