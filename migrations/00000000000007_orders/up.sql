-- Every state an order came to after PENDING, by the order's version: what its buyer is shown as its history. On the order's shard.
CREATE TABLE order_changes (
    order_id bigint NOT NULL,
    version  bigint NOT NULL,
    status   text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, version)
);
