"""One call of a kubelet, from the shell.   cri.py METHOD REQUEST

The request is JSON with the names of ./cri.proto, and so is the answer. A call that containerd refuses prints the
reason, and the exit status is 1.
"""
import os
import sys

import cri_pb2
import grpc
from google.protobuf import json_format


def main(method, text):
    request = json_format.Parse(text, getattr(cri_pb2, method + "Request")())
    answer = getattr(cri_pb2, method + "Response")
    with grpc.insecure_channel("unix://" + os.environ["CONTAINERD_ADDRESS"]) as channel:
        call = channel.unary_unary(
            "/runtime.v1.RuntimeService/" + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            answer = call(request, timeout=120)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
    if method == "ExecSync":
        print(answer.stdout.decode() + answer.stderr.decode(), end="")
        sys.exit(answer.exit_code)
    print(json_format.MessageToJson(answer, preserving_proto_field_name=True))


main(*sys.argv[1:])
