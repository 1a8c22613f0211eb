"""The synchronous question: may this be sent now? Answered by the same `decide`, changing nothing."""
