"""The Streamlit page: pictures, snapshots and live video."""
