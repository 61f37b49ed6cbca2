"""`manage.py load_catalogue FILE`: fills the shop from a catalogue file, as often as you like."""

from __future__ import annotations

import zlib
from argparse import ArgumentParser
from gzip import BadGzipFile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop.catalogue import BadLine, Item, read
from shop.models import Brand, Category
from shop.stocking import Shelves, put

CHUNK = 500


class Command(BaseCommand):
    help = "Loads products from JSON Lines, plain or gzipped; a known SKU is changed in place."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, *, file: Path, **options: Any) -> None:
        self.new = self.loaded = self.bad = 0
        try:
            self._load(file)
        except (EOFError, zlib.error, BadGzipFile) as error:
            raise CommandError(f"{file} is damaged: {self._told()}") from error
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror or error}", returncode=2) from error
        if not self.loaded:
            raise CommandError(f"{file}: {self._told()}")
        self.stdout.write(self.style.SUCCESS(f"{file.name}: {self._told()}"))

    def _load(self, file: Path) -> None:
        shelves, chunk = Shelves(), list[Item]()
        for number, found in read(file):
            if isinstance(found, BadLine):
                self.bad += 1
                self.stderr.write(f"line {number}: {found}")
                continue
            chunk.append(found)
            if len(chunk) == CHUNK:
                self._put(chunk, shelves)
                chunk = []
        self._put(chunk, shelves)

    def _put(self, chunk: list[Item], shelves: Shelves) -> None:
        if chunk:
            self.new += put(chunk, shelves)
            self.loaded += len(chunk)

    def _told(self) -> str:
        return (
            f"{self.loaded:,} products loaded ({self.new:,} new), {self.bad:,} lines skipped; "
            f"{Brand.objects.count():,} brands, {Category.objects.count():,} categories."
        )
