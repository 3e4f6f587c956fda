-- Keeps a query's text under its hash, and no more texts than allowed: the one stored longest ago goes. KEYS[1]: the texts (hash of hash
-- to text), KEYS[2]: when each was stored. ARGV: hash, text, how many.
if redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) == 1 then
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[2], time[1], ARGV[1])
    while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[3]) do
        redis.call('HDEL', KEYS[1], redis.call('ZPOPMIN', KEYS[2])[1])
    end
end
