#!lua flags=allow-oom
-- Takes the lease of a partition.
-- Guarantees: one holder at a time by the clock of the server; each success starts a new epoch,
-- which refuses every older token.
-- KEYS   1 lease (HASH: o holder, t token, e epoch, x expiry in ms, n last commit,
--        s last commit when the current holder took over)
-- ARGV   1 node, 2 nonce (32 hex digits), 3 time to live in ms
-- Return {'ACQUIRED', epoch, last commit} or {'HELD', holder, ms until expiry, last commit when the
--        holder took over, or '' if it is not known, token of the holder}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'o', 't', 'x', 'n', 's')
if lease[2] and lease[1] ~= ARGV[1] and tonumber(lease[3]) > now then
  return {'HELD', lease[1], tonumber(lease[3]) - now, lease[5] or '', lease[2]}
end
local epoch = redis.call('HINCRBY', KEYS[1], 'e', 1)
local last = lease[4] or '0'
redis.call('HSET', KEYS[1], 'o', ARGV[1],
  't', string.format('%.0f', epoch) .. ':' .. ARGV[2],
  'x', string.format('%.0f', now + ARGV[3]), 'n', last, 's', last)
return {'ACQUIRED', epoch, last}
