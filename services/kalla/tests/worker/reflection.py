"""Finds and calls the services of a worker knowing only its address, as grpcurl does: reflection.py HOST:PORT."""

import base64
import sys

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(sys.argv[1])
database = ProtoReflectionDescriptorDatabase(channel)
pool = DescriptorPool(database)

services = set(database.get_services())
wanted = {"kalla.v1.JobService", "kalla.v1.SourceService", "kalla.v1.ResultService", "grpc.health.v1.Health"}
assert wanted <= services, services


def call(service, method, request):
    found = pool.FindServiceByName(service).FindMethodByName(method)
    encode = lambda message: message.SerializeToString()
    decode = message_factory.GetMessageClass(found.output_type).FromString
    path = f"/{service}/{method}"
    make = channel.unary_stream if found.server_streaming else channel.unary_unary
    message = json_format.ParseDict(request, message_factory.GetMessageClass(found.input_type)())
    answer = make(path, request_serializer=encode, response_deserializer=decode)(message, timeout=30)
    as_dict = lambda message: json_format.MessageToDict(message, preserving_proto_field_name=True)
    return [as_dict(part) for part in answer] if found.server_streaming else as_dict(answer)


assert call("grpc.health.v1.Health", "Check", {}) == {"status": "SERVING"}
job = {
    "run_id": "3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10",
    "match_sql": "SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id",
    "sources": [{"alias": "a", "uri": "a.csv"}, {"alias": "b", "uri": "b.csv"}],
}
assert call("kalla.v1.JobService", "SubmitJob", {"job": job}) == {"run_id": job["run_id"], "status": "accepted"}
events = call("kalla.v1.JobService", "WatchJob", {"run_id": job["run_id"]})
assert events[-1]["event"]["complete"]["matched_count"] == "2", events
preview = call("kalla.v1.SourceService", "PreviewSource", {"source": {"uri": "a.csv"}, "limit": 1})
assert [column["name"] for column in preview["columns"]] == ["id", "amount"], preview
reached = call("kalla.v1.SourceService", "TestConnection", {"source": {"uri": "b.csv"}})
assert reached["ok"] and len(reached["columns"]) == 2, reached
ticket = {"run_id": job["run_id"], "result_set": "RESULT_SET_UNMATCHED_LEFT", "columns": ["amount"]}
page = call("kalla.v1.ResultService", "ReadResult", {"ticket": ticket})
assert page == {
    "columns": [{"name": "amount", "type": "decimal(18,2)", "nullable": True}],
    "rows": [{"cells": [{"value": "10.00"}]}],
    "total": "1",
}, page
summary = call("kalla.v1.ResultService", "SummarizeResult", {"ticket": ticket})
assert summary["columns"][0]["profile"]["max"] == "10.00", summary
pieces = call("kalla.v1.ResultService", "ExportResult", {"ticket": ticket, "format": "EXPORT_FORMAT_CSV"})
file = b"".join(base64.b64decode(piece["chunk"]) for piece in pieces)
assert file == b"amount\n10.00\n", file
row = {"run_id": job["run_id"], "side": "SIDE_LEFT", "row": 0}
why = call("kalla.v1.ResultService", "ExplainRow", row)
assert why["passes"][0]["conditions"] == ["l.id = r.id"] and why["verdict"], why
rows = call("kalla.v1.ResultService", "ReadSourceRows", {"run_id": job["run_id"], "side": "SIDE_LEFT", "rows": [0]})
assert rows["rows"][0]["cells"][0]["value"], rows
manifest = call("kalla.v1.ResultService", "GetManifest", {"run_id": job["run_id"]})["manifest"]
assert manifest["lineage_left"] == "LINEAGE_MODE_ROWS" and len(manifest["files"]) == 3, manifest
worker = call("kalla.v1.JobService", "GetWorker", {})["worker"]
assert worker["concurrency"] > 0 and worker["storage"], worker
for service in wanted - {"grpc.health.v1.Health"}:
    assert call("grpc.health.v1.Health", "Check", {"service": service}) == {"status": "SERVING"}
