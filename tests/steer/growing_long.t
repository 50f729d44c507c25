#!/bin/sh
# As growing.t, with every kind of view and of exporter.
exec tests/steer/growing.t long
