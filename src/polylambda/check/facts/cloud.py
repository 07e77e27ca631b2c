"""Clients of models, and of clouds other than AWS."""

from __future__ import annotations

from polylambda.check.facts.fact import (
    LOOP_EACH,
    Theme,
    below,
    blocks,
    known,
    loop_bound,
    makes_async_client,
    makes_client,
)

# Synchronous client, asynchronous one. Both keep an HTTP client of their own, which is thread-safe.
_CLIENTS = (
    ("openai.OpenAI", "openai.AsyncOpenAI"),
    ("openai.AzureOpenAI", "openai.AsyncAzureOpenAI"),
    ("anthropic.Anthropic", "anthropic.AsyncAnthropic"),
    ("anthropic.AnthropicBedrock", "anthropic.AsyncAnthropicBedrock"),
    ("anthropic.AnthropicVertex", "anthropic.AsyncAnthropicVertex"),
    ("groq.Groq", "groq.AsyncGroq"),
    ("cohere.Client", "cohere.AsyncClient"),
    ("cohere.ClientV2", "cohere.AsyncClientV2"),
    ("together.Together", "together.AsyncTogether"),
    ("cerebras.cloud.sdk.Cerebras", "cerebras.cloud.sdk.AsyncCerebras"),
    ("ollama.Client", "ollama.AsyncClient"),
    ("qdrant_client.QdrantClient", "qdrant_client.AsyncQdrantClient"),
    ("supabase.Client", "supabase.AsyncClient"),
)
# One class for both: its asynchronous methods have names of their own.
_BOTH = (
    ("mistralai.Mistral", "the method of the same name that ends with _async"),
    ("google.genai.Client", "client.aio"),
    ("pinecone.Pinecone", "pinecone.PineconeAsyncio"),
)
_LANGCHAIN = (
    "langchain_openai.ChatOpenAI langchain_openai.OpenAIEmbeddings langchain_anthropic.ChatAnthropic"
    " langchain_aws.ChatBedrock langchain_aws.ChatBedrockConverse langchain_aws.BedrockEmbeddings"
)
_OFF = "with_options copy close is_closed api_key base_url with_raw_response with_streaming_response"

_ONE = "one client, made at import: threads may share it"
_LOOPS = "{name}() at import: its connections belong to the first invocation's loop, and fail in the next"
_OWN_LOOP = "an async def handler, whose invocations share one loop"

THEME = Theme(
    facts={
        **known(
            *((blocks(asynchronous), [f"{client}.*"]) for client, asynchronous in _CLIENTS),
            *((blocks(asynchronous), [f"{client}.*"]) for client, asynchronous in _BOTH),
            (makes_client(_ONE), [client for client, _ in (*_CLIENTS, *_BOTH)]),
            (makes_async_client("one client, made once"), [asynchronous for _, asynchronous in _CLIENTS]),
            (loop_bound(_LOOPS, _OWN_LOOP, LOOP_EACH), [asynchronous for _, asynchronous in _CLIENTS]),
            (
                blocks("openai.AsyncOpenAI"),
                "openai.chat.* openai.completions.* openai.embeddings.* openai.responses.* openai.images.* openai.audio.*",
            ),
            (
                blocks("litellm.acompletion() and its kin"),
                below("litellm", "completion embedding image_generation responses"),
            ),
            (blocks("ollama.AsyncClient"), below("ollama", "chat generate embed pull")),
            (
                blocks("ainvoke(), astream(), abatch(), aembed_query() and aembed_documents()"),
                [
                    f"{each}.{method}"
                    for each in _LANGCHAIN.split()
                    for method in ("invoke", "stream", "batch", "predict", "embed_query", "embed_documents")
                ],
            ),
            (makes_client(_ONE), _LANGCHAIN),
            (
                blocks("gcloud-aio-storage, or await asyncio.to_thread(...)"),
                [
                    *below(
                        "google.cloud.storage.Blob",
                        """upload_from_string upload_from_file upload_from_filename download_as_bytes download_as_string
                        download_as_text download_to_file download_to_filename exists delete reload""",
                    ),
                    *below("google.cloud.storage.Bucket", "get_blob list_blobs delete_blob exists create"),
                    *below("google.cloud.storage.Client", "get_bucket list_buckets list_blobs create_bucket"),
                ],
            ),
            (
                blocks("await asyncio.to_thread(...)"),
                [
                    *below(
                        "google.cloud.bigquery.Client", "query_and_wait insert_rows_json load_table_from_json get_table"
                    ),
                    "google.cloud.bigquery.QueryJob.result",
                    "google.cloud.firestore.DocumentReference.get",
                    "google.cloud.firestore.DocumentReference.set",
                    "google.cloud.firestore.DocumentReference.update",
                ],
            ),
            (
                makes_client(_ONE),
                "google.cloud.storage.Client google.cloud.bigquery.Client google.cloud.firestore.Client",
            ),
        ),
        **{f"{client}.{name}": () for client, _ in (*_CLIENTS, *_BOTH) for name in _OFF.split()},
        "google.genai.Client.aio.*": (),
        "google.genai.Client.chats.create": (),
        "pinecone.Pinecone.Index": (),
    },
    gives={
        **{client: client for client, _ in (*_CLIENTS, *_BOTH)},
        **{f"{client}.with_options": client for client, _ in _CLIENTS},
        **{asynchronous: asynchronous for _, asynchronous in _CLIENTS},
        **{each: each for each in _LANGCHAIN.split()},
        "google.cloud.storage.Client": "google.cloud.storage.Client",
        "google.cloud.storage.Client.bucket": "google.cloud.storage.Bucket",
        "google.cloud.storage.Client.get_bucket": "google.cloud.storage.Bucket",
        "google.cloud.storage.Bucket.blob": "google.cloud.storage.Blob",
        "google.cloud.storage.Bucket.get_blob": "google.cloud.storage.Blob",
        "google.cloud.bigquery.Client": "google.cloud.bigquery.Client",
        "google.cloud.bigquery.Client.query": "google.cloud.bigquery.QueryJob",
        "google.cloud.firestore.Client": "google.cloud.firestore.Client",
        "supabase.create_client": "supabase.Client",
    },
    aliases={
        "mistralai.client.Mistral": "mistralai.Mistral",
        "google.genai.client.Client": "google.genai.Client",
    },
)
