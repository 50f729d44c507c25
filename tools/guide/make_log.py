#!/usr/bin/env python3
"""make_log.py N: an access log of N requests for the guide's example, the same at every run."""
import random
import sys

AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "curl/7.88.1",
          "Mozilla/5.0 (compatible; ExampleBot/2.1; crawler of the example search engine)")
PATHS = ("/", "/index.html", "/docs/guide.html", "/api/v1/items?page=%d", "/static/app.js")

generator = random.Random(7)
for number in range(int(sys.argv[1])):
    address = f"10.0.{generator.randrange(4)}.{generator.randrange(250)}"
    path = generator.choice(PATHS).replace("%d", str(generator.randrange(90)))
    print(f"{address}|{path}|{generator.choice(AGENTS)}")
