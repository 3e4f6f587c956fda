-- A bucket of points that all servers share. KEYS[1]: the bucket. ARGV: capacity, points restored a second, the cost, points given
-- back (what an earlier request paid for and did not use; below 0: what it used and did not pay). Answers whether the cost was taken, and the points left.
local capacity, restored, cost, back = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'points', 'at')
local points, at = tonumber(held[1]) or capacity, tonumber(held[2]) or now
points = math.min(capacity, points + math.max(0, now - at) / 1000 * restored + back)
local taken = 0
if points >= cost then
    points = points - cost
    taken = 1
end
redis.call('HSET', KEYS[1], 'points', tostring(points), 'at', now)
-- Points may be below nothing, where more was used than was paid: kept until the bucket is full again.
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - math.min(points, 0)) / restored * 1000) + 1000)
return {taken, math.floor(points)}
