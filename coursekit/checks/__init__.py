"""Checks for the exercises: they run a learner's function on cases, offline, and report what to
fix.

A learner writes, in an exercise notebook::

    from coursekit.checks import basics as check

    check.reply_text(reply_text)        # the result
    check.reply_text.hint(1)            # one of three hints

An author writes one folder per chapter, which has the chapter's stem without its number as its name
(01_basics: ``basics``). Its exercises.toml contains the stars, hints, and cases for each exercise::

    [shout]
    stars = 2
    hints = ["a nudge", "the idea", "nearly the answer"]
    cases = [
      { text = "paris", expects = "PARIS" },
      { text = "", expects = "", why = "An empty string is a string." },
      { text = "None", raises = "ValueError", says = ["text"], why = "None has no capitals." },
    ]

In the folder's ``__init__.py``, the exercise is a function with the same name as the learner's
function, and it turns a row into a case. The first line of its docstring says what to write::

    chapter = Chapter(__file__)

    @chapter.exercise
    def shout(text: str, expects: Any, why: str = "") -> Case:
        '''The text in capitals.'''
        return call(text, expects=expects, why=why)

In a row, "None" stands for None, which TOML cannot express. An expected error, Python's or the
SDK's, is given by the name of its class (``raises``) and by words in its message (``says``); the
function receives it as ``expects``. Some expected values are special: ``exactly(3)`` is an int and
not any other kind of number, and ``Matching("a list of …", predicate)`` is any value with a
property. If more than the returned value matters, a ``Case`` does something with the learner's
function and returns a dict of observations, each with its own remark. ``engine.answers`` creates
the SDK's objects. ``engine.script.Script`` is a real client whose API reads from a script and
counts requests, in virtual time. With ``awaits = true``, the learner writes an ``async def``, which
runs in an event loop with virtual time: ``asyncio.sleep(60)`` takes no time, and
``asyncio.get_running_loop().time()`` measures it.

The learner's function is then written, with its solution, in solutions/STEM.ipynb; ``coursekit
exercises`` generates exercises/STEM.ipynb from it. Cases are tried in order, so put the simple ones
first; some cases with random values make sure that nothing is hard-coded. A case judges what the
learner's code does, never what a model says. Everything that a docstring specifies is checked,
including types, and everything that is checked is specified in the docstring.
"""
