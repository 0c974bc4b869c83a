"""The other door of the offline API: a socket, for curl, for other languages, and for a class.

- connection: limits on what a client sends, and refusals before the request is complete
- delivery: an answer's bytes, each when it is due
- learners, tally: keys, and what belongs to each
- roll, class_file, joining: a class, whose learners join with a name and find everything unchanged
  when the server restarts
- injection: faults from outside, for a time
- watching, console, origin: what a teacher sees and does
- room, steady, hosts, throttle, refused: what the endpoints share
- endpoints, admin, app: the paths
- fallback: requests without a recording
- access_log, running: the log, and starting and stopping the server
"""
