"""The live page: a lab as it runs, in a browser; `labctl page`. It needs Starlette and uvicorn: `wirelab[page]`."""
