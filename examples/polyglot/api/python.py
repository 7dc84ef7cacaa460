"""Answers how much of ?word= are vowels."""

import json
import platform
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit


class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        word = parse_qs(urlsplit(self.path).query).get("word", [""])[0]
        vowels = sum(letter in "aeiouyäöü" for letter in word.lower())
        body = json.dumps(
            {"language": "Python", "version": platform.python_version(), "answer": {"vowels": vowels, "letters": len(word)}}
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
