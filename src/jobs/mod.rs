//! RabbitMQ job handlers.
