//! What a process counts from its beginning.

use plaza_protocol::routing::Queue;

/// What counts rare things begins at nothing: an alarm on its growth would else miss the first.
pub fn register_server() {
    metrics::counter!("plaza_overloaded_total").increment(0);
    metrics::counter!("plaza_id_clock_refused_total").increment(0);
    metrics::counter!("plaza_cache_epochs_raised_total").increment(0);
    metrics::gauge!("plaza_cache_pending_invalidations").increment(0);
    for code in ["INTERNAL", "TIMEOUT", "SHARD_UNAVAILABLE", "OUTCOME_UNKNOWN", "OVERLOADED"] {
        metrics::counter!("plaza_graphql_errors_total", "code" => code).increment(0);
    }
    for payer in ["viewer", "address", "action"] {
        metrics::counter!("plaza_rate_limited_total", "payer" => payer).increment(0);
    }
    metrics::counter!("plaza_views_acknowledged_total").increment(0);
    metrics::gauge!("plaza_http_in_flight").increment(0);
    metrics::gauge!("plaza_sockets").increment(0);
    metrics::gauge!("plaza_subscriptions").increment(0);
}

/// The same for a worker.
pub fn register_worker() {
    for queue in Queue::ALL {
        metrics::counter!("plaza_jobs_dead_total", "queue" => queue.name()).increment(0);
    }
    metrics::counter!("plaza_fan_out_deliveries_total").increment(0);
}

/// The same for a relay.
pub fn register_relay() {
    for sink in ["rabbitmq", "kafka"] {
        metrics::counter!("plaza_outbox_sent_total", "sink" => sink).increment(0);
    }
}
