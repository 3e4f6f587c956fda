-- Who may do what to a shard's tables, by process role: all there is, and nothing else. Run by the owner after the migrations, each time: what is
-- not here is taken away. A role that does not exist is left out; the owner may do everything and is not named.
--
-- A column is named where the others are not the role's business: password hashes, refresh tokens, who is an administrator, what a message says.
-- FOR UPDATE and FOR SHARE need UPDATE of one column at least; ON CONFLICT (..) and RETURNING need SELECT. The partitions of the outbox are
-- reached through `outbox`, and have no privileges of their own.
DO $grants$
DECLARE
    roles   CONSTANT text[] := ARRAY['plaza_server', 'plaza_worker', 'plaza_relay', 'plaza_projector'];
    present text[] := ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY (roles));
    -- Every table, sequence and function of ours: no extension's, no day of the outbox.
    ours    text[];
    line    record;
BEGIN
    SELECT array_agg(kind || ' ' || name) INTO ours FROM (
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name, 'pg_class'::regclass AS of, c.oid
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname !~ '^outbox_[0-9]{8}$'
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    ) AS found
    WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = found.of AND d.objid = found.oid AND d.deptype = 'e');

    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    FOR line IN SELECT object FROM unnest(ours) AS object LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', line.object);
    END LOOP;
    IF present = '{}' THEN
        RETURN;
    END IF;
    FOR line IN SELECT object, string_agg(quote_ident(role), ', ') AS whom FROM unnest(ours) AS object, unnest(present) AS role GROUP BY object LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', line.object, line.whom);
    END LOOP;
    FOR line IN SELECT role FROM unnest(present) AS role LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), line.role);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', line.role);
    END LOOP;

    FOR line IN
        SELECT object, privileges, role FROM (VALUES
        -- object, server, worker, relay, projector
        -- What every process asks when it starts, and what its page for operators shows.
        ('TABLE shard_maps',             'SELECT', 'SELECT', 'SELECT', 'SELECT'),
        ('TABLE shard_identity',         'SELECT, UPDATE (timeline)', 'SELECT', 'SELECT', 'SELECT'),
        ('TABLE projection_offsets',     'SELECT', 'SELECT', 'SELECT', 'SELECT, INSERT, UPDATE (next_offset, effects_offset)'),
        ('TABLE leases',                 '', '', 'SELECT, INSERT (name, epoch), UPDATE (epoch, began_at)',
                                         'SELECT, INSERT (name, epoch), UPDATE (epoch, began_at)'),
        ('TABLE ledger_runs',            'SELECT', 'SELECT, INSERT, UPDATE (report)', 'SELECT', 'SELECT'),
        -- The worker compares messages with what they were to do: the ledger.
        ('TABLE outbox',                 'SELECT (id, sink, created_at, sent_at), INSERT (sink, topic, key, payload)',
                                         'SELECT (id, sink, topic, key, payload, created_at, sent_at), INSERT (sink, topic, key, payload)',
                                         'SELECT, UPDATE (sent_at)',
                                         'SELECT (id, sink, created_at, sent_at), INSERT (sink, topic, key, payload)'),
        -- Accounts.
        ('TABLE handle_claims',          'SELECT, INSERT, UPDATE, DELETE', '', '', ''),
        ('TABLE email_claims',           'SELECT, INSERT, UPDATE', '', '', ''),
        ('TABLE users',                  'SELECT, INSERT (id, handle, email, display_name, password_hash), '
                                         'UPDATE (display_name, bio, avatar, is_private, suspended_at, version, activity_version, relations_version)',
                                         'SELECT (id, handle, display_name, bio, avatar, is_private, suspended_at, version, activity_version, pull_since), '
                                         'UPDATE (activity_version, pull_since)', '',
                                         'SELECT (id, is_private, activity_version, relations_version, pull_since), '
                                         'UPDATE (activity_version, relations_version, pull_since)'),
        ('TABLE sessions',               'SELECT, INSERT, UPDATE (refresh_hash, expires_at, last_used_at, revoked_at)', '',
                                         'SELECT (ctid, expires_at, revoked_at), DELETE', ''),
        ('TABLE spent_refresh_tokens',   'SELECT, INSERT, UPDATE (next_hash)', '', 'SELECT (ctid, spent_at), DELETE', ''),
        -- Who follows and blocks whom.
        ('TABLE follows',                'SELECT, INSERT, UPDATE (id, version, active, requested)',
                                         'SELECT, UPDATE (version, active, requested)', '', 'SELECT, UPDATE (version, active, requested)'),
        ('TABLE follow_requests',        'SELECT', 'SELECT', '', 'SELECT, INSERT, UPDATE (follow_id), DELETE'),
        ('TABLE followers',              'SELECT', 'SELECT', '', 'SELECT, INSERT, UPDATE (follow_id, active)'),
        ('TABLE follower_counts',        'SELECT', 'SELECT', '', 'SELECT, INSERT, UPDATE (follower_count, version)'),
        ('TABLE user_counts',            'SELECT, UPDATE (post_count, following_count, activity_version)',
                                         'SELECT, UPDATE (post_count, following_count, activity_version)', '',
                                         'SELECT, INSERT, UPDATE (post_count, following_count, activity_version)'),
        ('TABLE blocks',                 'SELECT, INSERT, UPDATE (id, version, active)', '', '', ''),
        ('TABLE blocked_by',             'SELECT', '', '', 'SELECT, INSERT, DELETE'),
        -- Posts.
        ('TABLE posts',                  'SELECT, INSERT, UPDATE (version, deleted)', 'SELECT (id, author_id, images, version, deleted)', '', 'SELECT'),
        ('TABLE post_counts',            'SELECT', 'SELECT', '', 'SELECT, INSERT, UPDATE (like_count, comment_count, version)'),
        ('TABLE likes',                  'SELECT, INSERT, DELETE', 'SELECT', '', 'SELECT'),
        ('TABLE likes_taken_back',       'SELECT, INSERT', '', '', ''),
        ('TABLE comments',               'SELECT, INSERT', 'SELECT (post_id)', '', 'SELECT (post_id)'),
        ('TABLE replies',                'SELECT, INSERT', '', '', ''),
        ('TABLE hashtags',               'SELECT, INSERT, DELETE', '', '', ''),
        ('TABLE reposts',                'SELECT, INSERT, DELETE', 'SELECT (author_id)', '', 'SELECT (author_id)'),
        ('TABLE shares',                 'SELECT', 'SELECT', '', 'SELECT, INSERT, UPDATE (active)'),
        ('TABLE share_counts',           'SELECT', 'SELECT', '', 'SELECT, INSERT, UPDATE (repost_count, quote_count, version)'),
        ('TABLE images',                 'SELECT, INSERT, UPDATE (alt_text, state, upload, content_hash, used), DELETE',
                                         'SELECT, UPDATE (state, upload, format, width, height, color, rejection), DELETE', '', ''),
        ('TABLE view_windows',           'SELECT, INSERT, UPDATE (views, viewers)', '', '', 'SELECT, INSERT, UPDATE (views, viewers), DELETE'),
        ('TABLE view_totals',            'SELECT, INSERT, UPDATE (counted, late, unreadable, watermark)', '', '',
                                         'SELECT, INSERT, UPDATE (counted, late, unreadable, watermark)'),
        -- The marketplace. The server does the saga's part where `orders.saga_in_request` says so.
        ('TABLE products',               'SELECT, INSERT, UPDATE (stock, version)', 'SELECT (id, seller_id, stock, stock_offered, version), UPDATE (stock, version)', '', 'SELECT'),
        ('TABLE reservations',           'SELECT, INSERT, UPDATE (status, sold_at)', 'SELECT, INSERT, UPDATE (status, sold_at)', '', 'SELECT'),
        ('TABLE orders',                 'SELECT, INSERT, UPDATE (status, reason, version)', 'SELECT, UPDATE (status, reason, version)', '', ''),
        ('TABLE order_lines',            'SELECT, INSERT', 'SELECT', '', ''),
        ('TABLE order_changes',          'SELECT, INSERT', 'INSERT', '', ''),
        ('TABLE payments',               'SELECT (order_id), INSERT, UPDATE (status)',
                                         'SELECT (order_id, amount, currency, status), INSERT, UPDATE (status)', '', ''),
        ('TABLE product_sales',          'SELECT', 'SELECT', '', 'SELECT, INSERT, UPDATE (orders, quantity, amount)'),
        -- Notifications.
        ('TABLE notifications',          'SELECT', 'SELECT, DELETE', '', 'SELECT, INSERT, UPDATE (id, version, active)'),
        ('TABLE notification_settings',  'SELECT, INSERT, UPDATE', 'SELECT (user_id, read_up_to)', '', ''),
        -- What keeps mutations, jobs and projections from being done twice.
        ('TABLE idempotency_keys',       'SELECT, INSERT, UPDATE (client_key, answer), DELETE', 'SELECT (ctid, created_at), UPDATE (created_at), DELETE', '', ''),
        ('TABLE job_attempts',           '', 'SELECT, INSERT, UPDATE (attempts, last_error, updated_at), DELETE', '', ''),
        ('TABLE projection_versions',    '', 'SELECT', '', 'SELECT, INSERT, UPDATE (version, identity)'),
        ('TABLE unreadable_records',     '', '', '', 'SELECT, INSERT (projection, topic, partition, record_offset, payload, length, aggregate, version, reason), '
                                         'UPDATE (reason, state, over_gap, decided_by, decided_at)'),
        ('TABLE backup_cut',             '', 'SELECT (at, recorded_at)', '', ''),
        ('TABLE outbox_default',         '', '', 'SELECT (created_on, sent_at)', ''),
        -- Sequences. Whoever writes to the outbox numbers its messages; whoever changes rows may have to raise the cache's epoch.
        ('SEQUENCE outbox_id_seq',       'USAGE', 'USAGE', '', 'USAGE'),
        ('SEQUENCE cache_epoch',         'USAGE, SELECT', 'USAGE', '', 'USAGE'),
        -- Functions. Those of searching are called by whoever changes a row of an index over them.
        ('FUNCTION next_id(integer)',    'EXECUTE', '', '', 'EXECUTE'),
        ('FUNCTION search_key(text)',    'EXECUTE', 'EXECUTE', '', 'EXECUTE'),
        ('FUNCTION search_fold(text)',   'EXECUTE', 'EXECUTE', '', 'EXECUTE'),
        ('FUNCTION digits(bigint)',      'EXECUTE', '', '', 'EXECUTE'),
        ('FUNCTION outbox_make_partition(date)',   '', '', 'EXECUTE', ''),
        ('FUNCTION outbox_move_sent(date,integer)', '', '', 'EXECUTE', ''),
        ('FUNCTION outbox_detach_partition(date)', '', '', 'EXECUTE', ''),
        ('FUNCTION outbox_drop_partition(date)',   '', '', 'EXECUTE', '')
        ) AS matrix (object, server, worker, relay, projector)
        CROSS JOIN LATERAL unnest(roles, ARRAY[server, worker, relay, projector]) AS cell (role, privileges)
        WHERE privileges <> '' AND role = ANY (present)
    LOOP
        EXECUTE format('GRANT %s ON %s TO %I', line.privileges, line.object, line.role);
    END LOOP;
END $grants$;

-- Whoever makes backups: a user with REPLICATION, which reads everything by itself, and a cut of all shards (backup_cuts). What PostgreSQL's own
-- functions want is granted by a superuser (docs/operations.md).
DO $backup$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'plaza_backup') THEN
        RETURN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO plaza_backup', current_database());
    GRANT USAGE ON SCHEMA public TO plaza_backup;
    GRANT SELECT ON shard_identity, restores TO plaza_backup;
    GRANT SELECT, INSERT, UPDATE ON backup_cut TO plaza_backup;
    GRANT EXECUTE ON FUNCTION outbox_hold() TO plaza_backup;
END $backup$;
