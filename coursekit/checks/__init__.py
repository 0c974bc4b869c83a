"""Checks for the exercises: they run a learner's function on cases, offline, and say what came of
it.

A learner writes, in an exercise notebook::

    from coursekit.checks import basics as check

    check.reply_text(reply_text)        # a verdict
    check.reply_text.hint(1)            # one of three hints

An author writes one module a chapter, named by the chapter's stem without its number (01_basics:
  ``basics``). In it an
exercise is a function of the learner's function's name that yields its cases; the first line of its
  docstring says
what is asked for::

    @exercise(stars=2, hints=("a nudge", "the idea", "nearly the answer"))
    def shout(rng: Random) -> Iterator[Case]:
        '''The text in capitals.'''
        yield call("paris", expects="PARIS")
        yield call("", expects="", why="An empty text is a text.")
        for _ in range(3):
            word = "".join(rng.choices("abcdef", k=5))
            yield call(word, expects=word.upper())

``expects`` is a plain value, ``Raises(ValueError, ("words in its message",))`` or ``Such("a list of
…", predicate)``. Where more than the returned value counts, a ``Case(given, run, expected)`` does
something with the learner's function and returns plain values that tell how it behaved. ``answers``
makes the SDK's objects; ``script.Script`` is a real client whose API reads from a script and counts
requests, in virtual time. An exercise with ``awaits=True`` asks for an ``async def`` and runs in an
event loop of virtual time: ``asyncio.sleep(60)`` takes none, and
``asyncio.get_running_loop().time()`` measures it.

The learner's function is then written, with its solution, in solutions/STEM.ipynb; ``coursekit
exercises`` makes exercises/STEM.ipynb of it. Cases are tried in order, so the plain ones come
first; random ones, from the seeded ``rng``, make sure that nothing is hard-coded. A case judges
what the learner's code does, never what a model says.
"""
