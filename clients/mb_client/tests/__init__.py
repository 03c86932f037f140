"""Tests of mb_client, and the commands that show its figures."""
