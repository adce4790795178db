"""The reference: FastAPI, LangGraph and AsyncPostgresSaver, with a pgvector top-5.

As a good engineer would write it in an afternoon, after the documentation: a graph of two nodes,
each conversation a thread that the checkpointer keeps, the model through `ChatOpenAI`. Where there
was a choice it got the cheaper one: it embeds with the same model in its own process, does not keep
the passages in its state, and trims what the model is sent to as many messages as we do. It has no
log-in, no tenancy, no ledger, and no takeover. It runs in an environment of its own.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from langchain_core.messages import HumanMessage, SystemMessage, trim_messages
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from pgvector.psycopg import register_vector_async
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from semantic_text_splitter import MarkdownSplitter

from opencoach.ai.providers.local_embedder import local_embedder

PROMPT = """You are a coach's clone. Answer in a few sentences, from these passages where they help.

{passages}"""
HISTORY_MESSAGES = 20
TEXTS = Path(__file__).resolve().parents[1] / "opencoach" / "demo" / "texts"
PASSAGE_CHARACTERS = 2_000
OVERLAP_CHARACTERS = 200
TABLE = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE passage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL,
    embedding vector(384) NOT NULL
);
CREATE INDEX ON passage USING hnsw (embedding vector_cosine_ops);
"""
NEAREST = "SELECT text FROM passage ORDER BY embedding <=> %s LIMIT 5"


class Agent:
    def __init__(self, pool: AsyncConnectionPool, checkpointer: AsyncPostgresSaver) -> None:
        self._pool = pool
        self._model = ChatOpenAI(
            model=os.environ["LANGGRAPH_MODEL"],
            base_url=os.environ["LANGGRAPH_MODEL_URL"],
            api_key="sk-bench",
            streaming=True,
            stream_usage=True,
        )
        graph = StateGraph(MessagesState)
        graph.add_node("respond", self._respond)
        graph.add_edge(START, "respond")
        graph.add_edge("respond", END)
        self.graph = graph.compile(checkpointer=checkpointer)

    async def _respond(self, state: MessagesState) -> dict[str, Any]:
        latest = trim_messages(
            state["messages"],
            max_tokens=HISTORY_MESSAGES,
            token_counter=len,
            strategy="last",
            start_on="human",
        )
        passages = await self._passages(str(state["messages"][-1].content))
        system = SystemMessage(PROMPT.format(passages="\n\n".join(passages)))
        return {"messages": [await self._model.ainvoke([system, *latest])]}

    async def _passages(self, question: str) -> list[str]:
        vector = (await asyncio.to_thread(local_embedder().embed, [question]))[0]
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(NEAREST, (vector,))).fetchall()
        return [row["text"] for row in rows]

    async def tokens(self, conversation: str, said: str) -> AsyncIterator[str]:
        stream = self.graph.astream(
            {"messages": [HumanMessage(said)]},
            {"configurable": {"thread_id": conversation}},
            stream_mode="messages",
        )
        async for chunk, _ in stream:
            if chunk.content:
                yield chunk.content


async def ingest(pool: AsyncConnectionPool) -> None:
    splitter = MarkdownSplitter(PASSAGE_CHARACTERS, overlap=OVERLAP_CHARACTERS)
    texts = [
        text for path in sorted(TEXTS.glob("*.md")) for text in splitter.chunks(path.read_text())
    ]
    vectors = local_embedder().embed(texts)
    async with pool.connection() as connection, connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO passage (text, embedding) VALUES (%s, %s)",
            list(zip(texts, vectors, strict=True)),
        )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    pool = AsyncConnectionPool(
        os.environ["LANGGRAPH_DATABASE_URL"],
        min_size=4,
        max_size=20,
        open=False,
        configure=register_vector_async,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    async with pool:
        async with pool.connection() as connection:
            await connection.execute(TABLE, prepare=False)
        checkpointer = AsyncPostgresSaver(pool)
        await checkpointer.setup()
        await ingest(pool)
        app.state.agent = Agent(pool, checkpointer)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/readyz")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.websocket("/{conversation}/")
async def chat(socket: WebSocket, conversation: str) -> None:
    agent: Agent = app.state.agent
    await socket.accept()
    try:
        while True:
            said = (await socket.receive_json())["content"]
            parts: list[str] = []
            async for text in agent.tokens(conversation, said):
                parts.append(text)
                await socket.send_text(json.dumps({"type": "message.delta", "text": text}))
            message = {"content": "".join(parts)}
            await socket.send_text(json.dumps({"type": "message.completed", "message": message}))
    except WebSocketDisconnect:
        pass
