"""`python -m send_queue` is `send-queue`."""

from send_queue.cli import main

main()
