-- Makes sure that a person's stream of live posts is there, and keeps it. KEYS[1]: the stream. ARGV: seconds it is kept. Answers whether it had
-- to be made, and its first and last entry.
local made = 0
if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('XADD', KEYS[1], '*', 'o', '1')
    made = 1
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
return {made, first[1][1], last[1][1]}
