-- Which generation of cached values is to be trusted. KEYS[1]: a hash: `run`, the server process that made the memory; `memory`, a name of that
-- memory; `nonce`, the generation; `e0`, `e1` ..: each shard's epoch that it is made for. ARGV: a fresh name, how many seconds the hash lives without a
-- look, then each shard's epoch as the caller knows it. A memory that is empty, or was made by another server process (a restart, a failover, a
-- dump that was loaded), may lack invalidations; an epoch that was raised means that somebody could not send some: both begin a new generation.
local held = {}
local pairs_held = redis.call('HGETALL', KEYS[1])
for i = 1, #pairs_held, 2 do held[pairs_held[i]] = pairs_held[i + 1] end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local anew = not held.nonce
if not held.memory or held.run ~= run then
  held.memory = ARGV[1]
  redis.call('HSET', KEYS[1], 'memory', ARGV[1], 'run', run)
  anew = true
end
for i = 3, #ARGV do
  local field = 'e' .. (i - 3)
  if tonumber(ARGV[i]) > tonumber(held[field] or '0') then
    redis.call('HSET', KEYS[1], field, ARGV[i])
    anew = true
  end
end
if anew then
  held.nonce = ARGV[1]
  redis.call('HSET', KEYS[1], 'nonce', ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {held.nonce, held.memory}
