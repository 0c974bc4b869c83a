"""Checks for the exercises: they run a learner's function on cases, offline, and say what to fix.

A learner writes, in an exercise notebook::

    from coursekit.checks import basics as check

    check.reply_text(reply_text)        # the result
    check.reply_text.hint(1)            # one of three hints

An author writes one folder per chapter, named by the chapter's stem without its number (01_basics:
``basics``). In its exercises.toml are, for each exercise, its stars, its hints, and its cases::

    [shout]
    stars = 2
    hints = ["a nudge", "the idea", "nearly the answer"]
    cases = [
      { text = "paris", expects = "PARIS" },
      { text = "", expects = "", why = "An empty string is a string." },
      { text = "None", raises = "ValueError", says = ["text"], why = "None has no capitals." },
    ]

In its ``__init__.py`` the exercise is a function of the learner's function's name, which makes a
case of a row. The first line of its docstring says what to write::

    chapter = Chapter(__file__)

    @chapter.exercise
    def shout(text: str, expects: Any, why: str = "") -> Case:
        '''The text in capitals.'''
        return call(text, expects=expects, why=why)

In a row "None" is None, which TOML cannot write. An expected error, Python's or the SDK's, is the
name of its class (``raises``) and words in its message (``says``); the function gets it as
``expects``. Some values are not plain: ``exactly(3)`` is an int and no other kind of number, and
``Matching("a list of …", predicate)`` is any value with a property. Where more than the returned
value counts, a ``Case`` does something with the learner's function and returns a dict of
observations, each with a remark of its own. ``engine.answers`` makes the SDK's objects.
``engine.script.Script`` is a real client whose API reads from a script and counts requests, in
virtual time. With ``awaits = true`` the learner writes an ``async def``, which runs in an event
loop of virtual time: ``asyncio.sleep(60)`` takes no time, and
``asyncio.get_running_loop().time()`` measures it.

The learner's function is then written, with its solution, in solutions/STEM.ipynb; ``coursekit
exercises`` makes exercises/STEM.ipynb of it. Cases are tried in order, so the simple ones come
first; some with random values make sure that nothing is hard-coded. A case judges what the
learner's code does, never what a model says. What a docstring names is checked, types included;
what is checked is in the docstring.
"""
