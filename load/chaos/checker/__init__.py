"""Holds what the stores have to what clients were told.

A program of its own: no line of plaza, none of the workload. It reads the folder of a run (who was
told what), the shards by SQL, Kafka and Redis by their protocols, RabbitMQ by its management API,
and plaza through GraphQL as any client does."""
