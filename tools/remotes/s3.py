"""What the test servers share: their credentials, free ports, and the one request that makes a bucket."""
import hashlib, hmac, http.client, socket, time, urllib.parse

KEY, SECRET, BUCKET = "cambium", "cambium-secret", "cambium"


def free_ports(count):
    """So many ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def make_bucket(endpoint):
    """Whether the bucket is there, made now if need be; false while the server is not up."""
    host = urllib.parse.urlsplit(endpoint).netloc
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
    empty = hashlib.sha256(b"").hexdigest()
    names = "host;x-amz-content-sha256;x-amz-date"
    request = f"PUT\n/{BUCKET}\n\nhost:{host}\nx-amz-content-sha256:{empty}\nx-amz-date:{moment}\n\n{names}\n{empty}"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/") + [text]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers = {"x-amz-date": moment, "x-amz-content-sha256": empty,
               "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope},SignedHeaders={names},Signature={key.hex()}"}
    try:
        connection = http.client.HTTPConnection(host, timeout=20)
        connection.request("PUT", f"/{BUCKET}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status == 200 or b"BucketAlready" in body
    except (OSError, http.client.HTTPException):
        return False
