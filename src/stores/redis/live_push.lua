-- Tells those of many people who are being watched over a socket that a post is new on their home. KEYS: their streams, which are also
-- the names of their channels. ARGV: the post, how many entries a stream keeps. A stream is there as long as somebody watches, or did lately.
-- Where there is none, the watchers are woken all the same, without a place: one that is watched was lost, and its watcher makes it anew.
-- The message names the entry and the one before it, so that a watcher who had come to that one need not ask.
local told = 0
for _, key in ipairs(KEYS) do
    local before = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
    local entry = before[1] and redis.call('XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[2], '*', 'p', ARGV[1])
    if entry then
        redis.call('PUBLISH', key, 'h ' .. before[1][1] .. ' ' .. entry .. ' ' .. ARGV[1])
        told = told + 1
    else
        redis.call('PUBLISH', key, 'h')
    end
end
return told
