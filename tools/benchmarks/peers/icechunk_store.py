"""Experts as the chunks of a Zarr array in icechunk, which versions it on S3 or in a folder.

    icechunk_store.py ADDRESS EXPERTS BYTES      ADDRESS: a folder, or http://HOST:PORT/BUCKET/PREFIX

Lines: "write FILE" commits all experts of a file of so many rows; "change FILE I,J,…" commits these rows of it; "read" reads
everything anew and tells the sum of its bytes.
"""
import json, os, sys, time, urllib.parse

# It warns on standard output, where the answers go.
os.environ["ICECHUNK_LOG"] = "error"
import icechunk, numpy as np, zarr

address, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if address.startswith("http"):
    parts = urllib.parse.urlsplit(address)
    bucket, prefix = parts.path[1:].split("/", 1)
    storage = icechunk.s3_storage(
        bucket=bucket, prefix=prefix, endpoint_url=f"{parts.scheme}://{parts.netloc}", allow_http=True,
        force_path_style=True, region="us-east-1", access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"])
else:
    storage = icechunk.local_filesystem_storage(address)
repository = icechunk.Repository.create(storage)


def commit(rows, path):
    session = repository.writable_session("main")
    group = zarr.open_group(session.store, mode="a")
    if "experts" not in group:
        group.create_array("experts", shape=(count, size), chunks=(1, size), dtype="uint8", compressors=None)
    data = np.memmap(path, np.uint8, "r", shape=(count, size))
    if rows is None: group["experts"][:] = data
    else:
        for row in rows: group["experts"][row] = data[row]
    session.commit("round")


def tell(**values): print(json.dumps(values), flush=True)


tell(ready=True)
for line in sys.stdin:
    word, *rest = line.split()
    begin, total = time.perf_counter(), 0
    if word == "write": commit(None, rest[0])
    elif word == "change": commit([int(row) for row in rest[1].split(",")], rest[0])
    else:
        session = icechunk.Repository.open(storage).readonly_session("main")
        total = int(zarr.open_group(session.store, mode="r")["experts"][:].sum(dtype=np.uint64))
    tell(seconds=time.perf_counter() - begin, sum=total)
