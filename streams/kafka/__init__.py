"""The distributed runtime: events through Apache Kafka, supervised by any number of Faust workers (design section 8).

What stands in a record, who produces it, and how a worker takes a partition's records to the engine. The engine itself
knows nothing of Kafka, and nothing of Faust is needed but by `worker` and `batching`.
"""
