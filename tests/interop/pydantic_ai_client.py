"""pydantic-ai, unmodified except for its base URL: python pydantic_ai_client.py BASE_URL
TASK,TASK,… prints JSON.
"""

import asyncio
import json
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

base_url, tasks = sys.argv[1:]
agent = Agent(
    OpenAIChatModel(
        "gpt-4o", provider=OpenAIProvider(base_url=base_url, api_key="key")
    )
)
question = "What is the capital of France?"


async def whole():
    result = await agent.run(question)
    return {
        "text": result.output,
        "tokens": result.usage.total_tokens,
        "model": result.response.model_name,
    }


async def stream():
    texts = []
    async with agent.run_stream(question) as result:
        async for text in result.stream_text(delta=True, debounce_by=None):
            texts.append(text)
    return {"text": "".join(texts)}


async def unknown():
    return {"text": (await agent.run("?")).output}


async def result(task):
    try:
        return await {"whole": whole, "stream": stream, "unknown": unknown}[
            task
        ]()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to see it
        return {
            "error": type(error).__name__,
            "code": (error.body or {}).get("code"),
            "message": str(error),
        }


async def main():
    print(json.dumps([await result(task) for task in tasks.split(",")]))


asyncio.run(main())
