"""The same as ../template.yaml, for the CDK: three functions that share the instances of one capacity provider."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from constructs import Construct

SHOP = Path(__file__).parent.parent
LAYER = SHOP / "build" / "layer.zip"  # made by `polylambda package --kind layer -o ../build/layer.zip`


class TeaShop(cdk.Stack):
    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        network = ec2.Vpc(self, "Network", max_azs=3, nat_gateways=1)  # logs need a way out
        # A pool of instances in your account. The role with which Lambda starts them is made along with it.
        self.instances = lambda_.CapacityProvider(
            self,
            "Instances",
            capacity_provider_name="tea-shop",
            subnets=network.private_subnets,
            security_groups=[ec2.SecurityGroup(self, "InstancesGroup", vpc=network)],
            architectures=[lambda_.Architecture.X86_64],
            instance_type_filter=lambda_.InstanceTypeFilter.allow(
                [ec2.InstanceType("c7i.xlarge"), ec2.InstanceType("m7i.large")]
            ),
            max_v_cpu_count=32,
        )
        self.polylambda = lambda_.LayerVersion(
            self,
            "Polylambda",
            code=lambda_.Code.from_asset(str(LAYER)),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            compatible_architectures=[lambda_.Architecture.X86_64],
        )
        # Streams; and is told when an asynchronous invocation of orders has failed.
        report = self.function("report", least=1, most=4)
        report_url = report.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.NONE, invoke_mode=lambda_.InvokeMode.RESPONSE_STREAM
        )
        # Waits for something else most of the time: many invocations share an environment well.
        orders = self.function("orders", least=3, most=12)
        orders.configure_async_invoke(retry_attempts=0, on_failure=destinations.LambdaDestination(report))
        orders_url = orders.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
        # Computes: a process for each slot, and CPU is what runs out.
        self.function("thumbnail", least=1, most=4, slots=2)
        cdk.CfnOutput(self, "OrdersUrl", value=orders_url.url)
        cdk.CfnOutput(self, "ReportUrl", value=report_url.url)

    def function(self, name: str, *, least: int, most: int, slots: int = 4) -> lambda_.Function:
        """A function on the instances, of which `least` to `most` environments run, with so many slots each."""
        function = lambda_.Function(
            self,
            name.capitalize(),
            function_name=name,
            code=lambda_.Code.from_asset(str(SHOP / name), exclude=["__pycache__"]),
            handler="app.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.X86_64,
            memory_size=2048,
            timeout=cdk.Duration.seconds(10),
            layers=[self.polylambda],
            # Starts polylambda in place of Lambda's own Python runtime.
            environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/polylambda-wrapper"},
        )
        # The CDK names $LATEST.PUBLISHED as what is published, unless told otherwise, as the template does.
        self.instances.add_function(
            function,
            per_execution_environment_max_concurrency=slots,
            latest_published_scaling_config=lambda_.LatestPublishedScalingConfig(
                min_execution_environments=least, max_execution_environments=most
            ),
        )
        return function


app = cdk.App()
TeaShop(app, "tea-shop")
app.synth()
