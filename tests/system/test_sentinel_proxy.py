#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PROXY protocol 2: pools are told who connects, and only proxies that were named are believed."""
import struct

from support.sentinel import SentinelCase, hello, main, read_some

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def crc32c(data):
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def told(client, server):
    (client_ip, client_port), (server_ip, server_port) = client, server
    return (SIGNATURE + b"\x21\x11\0\x0c" + bytes(map(int, client_ip.split("."))) + bytes(map(int, server_ip.split(".")))
            + struct.pack(">HH", client_port, server_port))


class ProxyProtocol(SentinelCase):
    def read_header(self, data):
        """The ends, the server name, and what is behind the header; its checksum is looked at."""
        self.assertEqual(data[:14], SIGNATURE + b"\x21\x11")
        size = 16 + int.from_bytes(data[14:16], "big")
        header, rest = data[:size], data[size:]
        ends = (".".join(map(str, header[16:20])), *struct.unpack(">H", header[24:26])), \
               (".".join(map(str, header[20:24])), *struct.unpack(">H", header[26:28]))
        extras, at = {}, 28
        while at < size:
            length = int.from_bytes(header[at + 1:at + 3], "big")
            extras[header[at]] = header[at + 3:at + 3 + length]
            at += 3 + length
        self.assertEqual(int.from_bytes(extras[3], "big"), crc32c(header.replace(extras[3], bytes(4))))
        return ends, extras.get(2), rest

    def start_two(self, *flags):
        self.told, self.plain = self.backend(), self.backend()
        return self.start(f"a.test 127.0.0.1:{self.told.port} told\nb.test 127.0.0.1:{self.plain.port} plain\n",
                          "--proxy-protocol", "told", *flags)

    def test_a_pool_is_told_in_the_same_segment_as_the_hello(self):
        sentinel = self.start_two()
        client = sentinel.say(hello(b"A.test"))
        first = self.told.next().recv(65536)  # one segment: nothing else was sent yet
        ends, name, rest = self.read_header(first)
        self.assertEqual(ends, (client.getsockname(), client.getpeername()))
        self.assertEqual((name, rest), (b"a.test", hello(b"A.test")))

    def test_a_pool_that_did_not_ask_is_told_nothing(self):
        sentinel = self.start_two()
        sentinel.say(hello(b"b.test"))
        self.assertEqual(read_some(self.plain.next(), len(hello(b"b.test"))), hello(b"b.test"))

    def test_a_proxy_in_front_is_believed_when_it_was_named(self):
        sentinel = self.start_two("--proxy-from", "127.0.2.0/24")
        ends = (("203.0.113.9", 4711), ("198.51.100.1", 443))
        for cut in (0, 5, 20, 40):
            data = told(*ends) + hello()
            client = sentinel.connect(source="127.0.2.7")
            client.sendall(data[:cut])
            client.sendall(data[cut:])
            primary = self.told.next()
            size = 16 + 12 + 3 + len("a.test") + 7 + len(hello())
            self.assertEqual(self.read_header(read_some(primary, size)), (ends, b"a.test", hello()))

    def test_its_header_goes_to_no_pool_and_may_be_its_own(self):
        sentinel = self.start_two("--proxy-from", "127.0.2.0/24")
        sentinel.say(told(("203.0.113.9", 4711), ("198.51.100.1", 443)) + hello(b"b.test"), source="127.0.2.7")
        self.assertEqual(read_some(self.plain.next(), len(hello(b"b.test"))), hello(b"b.test"))
        client = sentinel.say(SIGNATURE + b"\x20\0\0\0" + hello(), source="127.0.2.7")
        ends, _, _ = self.read_header(self.told.next().recv(65536))
        self.assertEqual(ends[0], client.getsockname())

    def test_a_named_proxy_must_say_and_all_others_must_not(self):
        sentinel = self.start_two("--proxy-from", "127.0.2.0/24")
        self.assertEqual(sentinel.ask(hello(), source="127.0.2.7")[0], b"")
        self.assertEqual(sentinel.ask(told(("203.0.113.9", 1), ("198.51.100.1", 443)) + hello())[0], b"")
        self.assertTrue(self.told.none())
        self.assertEqual(sentinel.counts()["not_tls"], 2)
        sentinel.say(hello())
        self.told.next()


if __name__ == "__main__":
    main()
