"""Lambda Managed Instances on one's own machine: capacity providers, instances, agents, router, scaler, and AWS's API.

What is wanted (functions, versions, providers) is kept in the `Store`; what is (instances, environments, slots) is
observed, and brought to what is wanted by the `Reconciler`.
"""
