"""Many pictures and clips: from any storage, on one machine or on Ray, and on again after whatever stopped it."""
