from pathlib import Path

import wreq


class AsyncClient:
    def __init__(self, ca: str, http2: bool) -> None:
        options = {} if http2 else {"http1_only": True}
        self._client = wreq.Client(
            emulation=wreq.Profile.Chrome137, tls_verify=wreq.CertStore.from_pem_stack(Path(ca).read_bytes()), **options
        )

    async def aclose(self) -> None:
        self._client.close()

    async def get(self, url: str) -> bytes:
        return bytes(await (await self._client.get(url)).bytes())

    async def stream(self, url: str) -> int:
        total = 0
        response = await self._client.get(url)
        async with response.stream() as pieces:
            async for piece in pieces:
                total += len(piece)
        return total
