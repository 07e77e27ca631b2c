"""What runs in the process of the handler: the runtime, the seeded schedule, and those who look on.

Nothing here judges. What is seen is noted, a line of JSON each, and read by the process that asked for the run.
"""
