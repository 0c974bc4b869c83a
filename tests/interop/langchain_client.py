"""langchain-openai, unmodified except for its base URL: python langchain_client.py BASE_URL
TASK,TASK,… prints JSON.
"""

import json
import os
import sys
from pathlib import Path

import openai
from langchain_openai import ChatOpenAI

base_url, tasks = sys.argv[1:]
model = ChatOpenAI(model="gpt-4o", base_url=base_url, api_key="key")
question = "What is the capital of France?"


def whole():
    reply = model.invoke(question)
    told = reply.response_metadata
    return {
        "text": reply.content,
        "tokens": reply.usage_metadata["total_tokens"],
        "model": told["model_name"],
    }


def stream():
    return {"text": "".join(part.content for part in model.stream(question))}


def streamed_from_whole():
    return {
        "text": "".join(
            part.content
            for part in model.stream("What is the capital of Germany?")
        )
    }


def unknown():
    return {"text": model.invoke("?").content}


def send(path):
    """The bodies in a file, each sent as LangChain writes it."""
    texts = []
    for body in json.loads(Path(path).read_text(encoding="utf-8")):
        messages, stream = body.pop("messages"), body.pop("stream", False)
        chat = ChatOpenAI(**body, base_url=base_url, api_key="key")
        texts.append(
            "".join(part.content for part in chat.stream(messages))
            if stream
            else chat.invoke(messages).content
        )
    return texts


def refused():
    said = []
    for body in json.loads(os.environ["REFUSED"]):
        other = ChatOpenAI(
            model=body.pop("model"), base_url=base_url, api_key="key"
        )
        try:
            other.invoke(body.pop("messages"), **body)
        except openai.BadRequestError as error:
            said.append(error.body["message"])
    return said


def result(task):
    try:
        return globals()[task]() if task in globals() else send(task)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to see it
        return {
            "error": type(error).__name__,
            "code": getattr(error, "code", None),
            "message": str(error),
        }


print(json.dumps([result(task) for task in tasks.split(",")]))
